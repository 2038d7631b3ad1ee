package admission.rules.plaintext.field_test

import data.admission.rules.plaintext.field

literal(name, kind) := {
	"pointer": "/p",
	"field": name,
	"kind": kind,
	"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
}

test_a_secret_in_any_other_field_is_a_finding[name] if {
	some name in ["command", "healthCheck", "dockerLabel", "unknown", "secrets", "a field of the future"]
	field.findings == {{"at": "/p"}} with input.literals as [literal(name, "opaque")]
}

test_fields_with_a_rule_of_their_own_are_none[name] if {
	some name in ["environment", "logOption"]
	field.findings == set() with input.literals as [literal(name, "opaque")]
}

test_a_value_that_cannot_be_a_secret_is_none if {
	field.findings == set() with input.literals as [literal("command", "placeholder")]
}

test_some_fields_have_words_of_their_own[name] if {
	some name, variant in {"tag": "tag", "sessionCommand": "session", "hookDetails": "hook"}
	some operation in ["RegisterTaskDefinition", "RunTask", "TagResource", "ExecuteCommand", "CreateService"]
	expected := {{"at": "/p", "variant": variant}}
	request := {"operation": operation}
	field.findings == expected with input as {"request": request, "literals": [literal(name, "opaque")]}
}

test_an_override_is_told_from_a_definition[name] if {
	some name in ["command", "unknown"]
	expected := {{"at": "/p", "variant": "override"}}
	request := {"operation": "StartTask"}
	field.findings == expected with input as {"request": request, "literals": [literal(name, "opaque")]}
}
