package admission.rules.plaintext.environment_test

import data.admission.rules.plaintext.environment

literal(field, kind, detector) := {
	"pointer": "/p",
	"field": field,
	"kind": kind,
	"signals": [{"detector": detector, "rule": "password", "confidence": "high"}],
}

test_a_secret_by_its_name_is_a_finding if {
	environment.findings == {{"at": "/p"}} with input.literals as [literal("environment", "opaque", "name")]
}

test_a_secret_by_its_form_is_a_finding if {
	environment.findings == {{"at": "/p"}} with input.literals as [literal("environment", "text", "native")]
}

test_a_value_that_cannot_be_a_secret_is_none if {
	environment.findings == set() with input.literals as [literal("environment", "empty", "name")]
}

test_a_literal_elsewhere_is_none if {
	environment.findings == set() with input.literals as [literal("command", "opaque", "name")]
}
