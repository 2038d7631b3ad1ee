package admission.lib.literals_test

import data.admission.lib.literals

kinds := {"harmless": ["empty", "arn"], "credential_like": ["opaque", "random"], "generated": ["random"]}

signal(detector, confidence) := {"detector": detector, "rule": "some-rule", "confidence": confidence}

leaking := {
	"the name ends in a secret's word": {"kind": "text", "signals": [signal("name", "high")]},
	"the name holds one and the value looks like it": {"kind": "opaque", "signals": [signal("name", "medium")]},
	"the name is as general as key and the value looks generated": {"kind": "random", "signals": [signal("name", "low")]},
	"a detector knows the value for certain": {"kind": "arn", "signals": [signal("native", "high")]},
	"a detector knows the value": {"kind": "arn", "signals": [signal("native", "low")]},
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
	not literals.misplaced({"kind": "text", "service": null, "signals": [signal("name", "high")]})
}

test_a_bound_is_told_from_what_was_found if {
	literals.unscanned({"kind": "text", "signals": [signal("name", "high"), signal("unscanned", "high")]})
	not literals.unscanned({"kind": "text", "signals": [signal("name", "high")]})
}
