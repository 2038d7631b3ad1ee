package admission.rules.plaintext.field_test

import data.admission.rules.plaintext.field

literal(name, kind) := {
	"pointer": "/p",
	"field": name,
	"kind": kind,
	"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
}

test_a_secret_in_any_other_field_is_a_finding[name] if {
	some name in ["command", "healthCheck", "tag", "dockerLabel", "unknown", "secrets", "a field of the future"]
	field.findings == {{"at": "/p"}} with input.literals as [literal(name, "opaque")]
}

test_fields_with_a_rule_of_their_own_are_none[name] if {
	some name in ["environment", "logOption"]
	field.findings == set() with input.literals as [literal(name, "opaque")]
}

test_a_value_that_cannot_be_a_secret_is_none if {
	field.findings == set() with input.literals as [literal("command", "placeholder")]
}
