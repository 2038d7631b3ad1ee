package admission.lib.literals_test

import data.admission.lib.literals

kinds := {
	"harmless": ["empty", "arn", "both"],
	"credential_like": ["opaque", "random", "both"],
	"generated": ["random"],
}

signal(detector, confidence) := {"detector": detector, "rule": "some-rule", "confidence": confidence}

leaking := {
	"the name ends in a secret's word": {"kind": "text", "signals": [signal("name", "high")]},
	"the name holds one and the value looks like it": {"kind": "opaque", "signals": [signal("name", "medium")]},
	"the name is as general as key and the value looks generated": {"kind": "random", "signals": [signal("name", "low")]},
	"the name holds one and the value looks like it, whatever else it looks like": {
		"kind": "both",
		"signals": [signal("name", "medium")],
	},
	"a detector knows the value": {"kind": "arn", "signals": [signal("native", "low")]},
	"a detector knows the value well": {"kind": "arn", "signals": [signal("native", "high")]},
	"a detector knows the value, whatever the name": {
		"kind": "empty",
		"signals": [signal("name", "high"), signal("kingfisher", "medium")],
	},
}

sound := {
	"nothing was seen": {"kind": "opaque", "signals": []},
	"the value cannot be a secret": {"kind": "arn", "signals": [signal("name", "high")]},
	"the name only holds the word": {"kind": "text", "signals": [signal("name", "medium")]},
	"it was only not scanned": {"kind": "text", "signals": [signal("unscanned", "high")]},
	"the name is as general as key": {"kind": "opaque", "signals": [signal("name", "low")]},
}

test_a_secret_leaks[case] if {
	some case, literal in leaking
	literals.leaks(literal) with data.config.kinds as kinds
}

test_anything_else_does_not[case] if {
	some case, literal in sound
	not literals.leaks(literal) with data.config.kinds as kinds
}

test_the_kinds_that_ship_know_the_difference if {
	literals.leaks({"kind": "opaque", "signals": [signal("name", "high")]})
	not literals.leaks({"kind": "placeholder", "signals": [signal("name", "high")]})
}

test_a_secret_name_with_an_arn_is_misplaced if {
	literals.misplaced({"kind": "arn", "service": "ssm", "signals": [signal("name", "high")]})
}

test_a_name_that_only_might_be_one_of_a_secret_is_not_misplaced if {
	not literals.misplaced({"kind": "arn", "service": "ssm", "signals": [signal("name", "medium")]})
}

test_an_arn_of_something_else_is_not_misplaced if {
	not literals.misplaced({"kind": "arn", "service": "sqs", "signals": [signal("name", "high")]})
}

test_an_arn_or_a_name_alone_is_not_misplaced if {
	not literals.misplaced({"kind": "arn", "service": "ssm", "signals": [signal("native", "high")]})
	not literals.misplaced({"kind": "arn", "service": "ssm", "signals": [signal("name", "medium")]})
	not literals.misplaced({"kind": "text", "service": null, "signals": [signal("name", "high")]})
}

test_a_bound_is_told_from_what_was_found if {
	literals.unscanned({"kind": "text", "signals": [signal("name", "high"), signal("unscanned", "high")]})
	not literals.unscanned({"kind": "text", "signals": [signal("name", "high")]})
}

aws_kinds := {
	"harmless": ["empty", "template"],
	"credential_like": ["opaque"],
	"generated": [],
	"aws_keys": ["some-aws-rule", "aws secret access key"],
	"aws_key_words": ["secret key"],
}

aws_signal(detector, rule) := {"detector": detector, "rule": rule, "confidence": "high"}

aws := {
	"a detector knows the form": {"kind": "text", "words": [], "signals": [aws_signal("native", "some-aws-rule")]},
	"the name says it": {"kind": "opaque", "words": [], "signals": [aws_signal("name", "aws secret access key")]},
	"the name says it with a word between": {
		"kind": "opaque",
		"words": ["aws", "s", "3", "secret", "key"],
		"signals": [aws_signal("name", "secret key")],
	},
	"there is more in it": {
		"kind": "text",
		"words": [],
		"signals": [
			aws_signal("native", "token"),
			aws_signal("native", "resolved-at-deploy"),
			aws_signal("native", "some-aws-rule"),
		],
	},
}

not_aws := {
	"it is another secret": {"kind": "opaque", "words": ["aws"], "signals": [aws_signal("native", "token")]},
	"the value is none": {"kind": "empty", "words": [], "signals": [aws_signal("name", "aws secret access key")]},
	"the name does not speak of AWS": {
		"kind": "opaque",
		"words": ["minio", "secret", "key"],
		"signals": [aws_signal("name", "secret key")],
	},
}

test_an_aws_key_is_told_from_other_secrets[case] if {
	some case, literal in aws
	literals.aws_key(literal) with data.config.kinds as aws_kinds
}

test_what_is_no_aws_key_is_told_from_one[case] if {
	some case, literal in not_aws
	not literals.aws_key(literal) with data.config.kinds as aws_kinds
}

test_an_aws_key_is_no_other_rules[case] if {
	some case, literal in aws
	not literals.leaks(literal) with data.config.kinds as aws_kinds
	not literals.resolved_at_deploy(literal) with data.config.kinds as aws_kinds
}

test_what_is_resolved_at_deploy_is_no_other_rules if {
	literal := {"kind": "template", "words": [], "signals": [
		aws_signal("name", "aws secret access key"),
		aws_signal("native", "resolved-at-deploy"),
	]}
	literals.resolved_at_deploy(literal) with data.config.kinds as aws_kinds
	not literals.leaks(literal) with data.config.kinds as aws_kinds
	not literals.aws_key(literal) with data.config.kinds as aws_kinds
}

test_another_signal_is_not_resolved_at_deploy[detector] if {
	some detector, rule in {"native": "token", "name": "resolved-at-deploy"}
	not literals.resolved_at_deploy({"kind": "template", "words": [], "signals": [aws_signal(detector, rule)]})
}

test_the_rules_that_ship_know_aws_keys[rule] if {
	some rule in [
		"aws-access-key-id", "aws-secret-access-key", "betterleaks.aws-access-token", "betterleaks.aws-session-token",
		"aws access key id", "aws secret access key", "aws session token",
	]
	literals.aws_key({"kind": "opaque", "words": [], "signals": [aws_signal("any", rule)]})
}

test_a_name_of_the_secret_itself_is_not_misplaced[word] if {
	some word in ["secret", "credentials"]
	named := {"detector": "name", "rule": word, "confidence": "high"}
	not literals.misplaced({"kind": "arn", "service": "secretsmanager", "signals": [named]})
}
