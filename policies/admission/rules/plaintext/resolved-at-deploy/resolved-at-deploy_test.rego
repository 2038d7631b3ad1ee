package admission.rules.plaintext["resolved-at-deploy_test"]

import data.admission.rules.plaintext["resolved-at-deploy"] as rule

literal(field, rule) := {
	"pointer": "/p",
	"field": field,
	"kind": "template",
	"words": [],
	"signals": [{"detector": "native", "rule": rule, "confidence": "high"}],
}

request(operation, field) := {
	"request": {"operation": operation},
	"literals": [literal(field, "resolved-at-deploy")],
}

test_a_variable_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input as request("RegisterTaskDefinition", "environment")
}

test_an_override_is_told_from_a_definition if {
	rule.findings == {{"at": "/p", "variant": "override"}} with input as request("RunTask", "environment")
}

test_other_fields_have_words_of_their_own[field] if {
	some field, variant in {
		"logOption": "log-option",
		"secrets": "reference",
		"repositoryCredentials": "reference",
		"command": "elsewhere",
		"image": "elsewhere",
		"a field of the future": "elsewhere",
	}
	some operation in ["RegisterTaskDefinition", "RunTask"]
	rule.findings == {{"at": "/p", "variant": variant}} with input as request(operation, field)
}

test_another_secret_is_none if {
	rule.findings == set() with input.literals as [literal("environment", "token")]
}
