package admission.rules.roles["same-role_test"]

import data.admission.rules.roles["same-role"] as rule

roles(execution, task) := {"executionRoleArn": execution, "taskRoleArn": task}

arn := "arn:aws:iam::111122223333:role/team/web"

same := [[arn, arn], ["web", "web"], ["web", arn], [arn, "web"], ["<redacted-1>", "<redacted-1>"]]

different := [
	[arn, "arn:aws:iam::111122223333:role/web"],
	["web-execution", "web"],
	["eb", arn],
	["<redacted-1>", "<redacted-2>"],
]

test_one_role_for_both_is_a_finding[pair] if {
	some pair in same
	rule.findings == {{"at": "/taskRoleArn"}} with input.object as roles(pair[0], pair[1])
}

test_two_roles_are_none[pair] if {
	some pair in different
	rule.findings == set() with input.object as roles(pair[0], pair[1])
}

test_one_role_alone_is_none[name] if {
	some name in ["executionRoleArn", "taskRoleArn", "infrastructureRoleArn"]
	rule.findings == set() with input.object as {name: arn}
}

test_an_override_is_told_from_a_definition if {
	expected := {{"at": "/overrides/taskRoleArn", "variant": "override"}}
	rule.findings == expected with input.object as {"overrides": roles(arn, arn)}
}
