package admission.rules.ownership["owner-tag_test"]

import data.admission.rules.ownership["owner-tag"] as rule

test_a_task_definition_without_tags_is_a_finding if {
	rule.findings == {{"at": "/tags"}} with input as {
		"request": {"operation": "RegisterTaskDefinition"},
		"object": {"family": "web"},
	}
}

test_one_with_other_tags_alone_is_a_finding if {
	rule.findings == {{"at": "/tags"}} with input as {
		"request": {"operation": "RegisterTaskDefinition"},
		"object": {"family": "web", "tags": [{"key": "team", "value": "<redacted>"}]},
	}
}

test_one_with_an_owner_is_none if {
	rule.findings == set() with input as {
		"request": {"operation": "RegisterTaskDefinition"},
		"object": {"family": "web", "tags": [{"key": "owner", "value": "<redacted>"}]},
	}
}

test_another_operation_is_none if {
	rule.findings == set() with input as {"request": {"operation": "RunTask"}, "object": {"taskDefinition": "web:7"}}
}
