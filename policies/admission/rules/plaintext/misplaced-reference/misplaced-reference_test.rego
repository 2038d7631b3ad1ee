package admission.rules.plaintext["misplaced-reference_test"]

import data.admission.rules.plaintext["misplaced-reference"] as rule

literal(field, kind) := {
	"pointer": "/p",
	"field": field,
	"kind": kind,
	"service": "secretsmanager",
	"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
}

test_an_arn_under_the_name_of_a_secret_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input.literals as [literal("environment", "arn")]
}

test_another_value_is_none if {
	rule.findings == set() with input.literals as [literal("environment", "opaque")]
}

test_another_field_is_none if {
	rule.findings == set() with input.literals as [literal("command", "arn")]
}

test_an_override_is_told_from_a_definition if {
	request := {"operation": "RunTask"}
	expected := {{"at": "/p", "variant": "override"}}
	rule.findings == expected with input as {"request": request, "literals": [literal("environment", "arn")]}
}
