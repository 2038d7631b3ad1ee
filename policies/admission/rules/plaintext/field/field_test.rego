package admission.rules.plaintext.field_test

import data.admission.rules.plaintext.field

literal(name, kind) := {
	"pointer": "/p",
	"field": name,
	"kind": kind,
	"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
}

test_a_secret_in_any_other_field_is_a_finding[name] if {
	some name in ["command", "healthCheck", "tmpfs", "family", "a field of the future"]
	field.findings == {{"at": "/p"}} with input.literals as [literal(name, "opaque")]
}

test_fields_with_a_rule_of_their_own_are_none[name] if {
	some name in ["environment", "logOption", "image"]
	field.findings == set() with input.literals as [literal(name, "opaque")]
}

test_a_value_that_cannot_be_a_secret_is_none if {
	field.findings == set() with input.literals as [literal("command", "placeholder")]
}

test_a_literal_of_another_rule_is_none[rule] if {
	some rule in ["aws-access-key-id", "resolved-at-deploy"]
	signal := {"detector": "native", "rule": rule, "confidence": "high"}
	found := object.union(literal("command", "opaque"), {"signals": [signal]})
	field.findings == set() with input.literals as [found]
}

test_some_fields_have_words_of_their_own[name] if {
	some name, variant in {
		"sessionCommand": "session",
		"tag": "tag",
		"dockerLabel": "label",
		"dockerLabels": "label",
		"volumeLabel": "label",
		"labels": "label",
		"systemControl": "setting",
		"proxyProperty": "setting",
		"placementConstraint": "setting",
		"resourceRequirement": "setting",
		"driverOption": "driver-option",
		"firelensOption": "firelens",
		"hookDetails": "hook",
		"testTrafficHeader": "header",
		"unknown": "unknown",
		"secrets": "secret",
		"secretOptions": "secret-option",
		"repositoryCredentials": "reference",
		"environmentFiles": "reference",
		"credentialSpecs": "reference",
		"dockerSecurityOptions": "reference",
		"fsxCredentials": "reference",
	}
	some operation in ["RegisterTaskDefinition", "RunTask"]
	expected := {{"at": "/p", "variant": variant}}
	request := {"operation": operation}
	field.findings == expected with input as {"request": request, "literals": [literal(name, "opaque")]}
}

test_an_override_is_told_from_a_definition[name] if {
	some name in ["command", "a field of the future"]
	expected := {{"at": "/p", "variant": "override"}}
	request := {"operation": "StartTask"}
	field.findings == expected with input as {"request": request, "literals": [literal(name, "opaque")]}
}
