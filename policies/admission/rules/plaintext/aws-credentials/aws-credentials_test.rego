package admission.rules.plaintext["aws-credentials_test"]

import data.admission.rules.plaintext["aws-credentials"] as rule

literal(field, kind, name) := {
	"pointer": "/p",
	"field": field,
	"kind": kind,
	"words": [],
	"signals": [{"detector": "name", "rule": name, "confidence": "high"}],
}

request(operation, found) := {"request": {"operation": operation}, "literals": [found]}

test_a_key_in_a_variable_is_a_finding[operation] if {
	some operation in ["RegisterTaskDefinition", "CreateExpressGatewayService"]
	found := literal("environment", "opaque", "aws access key id")
	rule.findings == {{"at": "/p", "variant": "environment"}} with input as request(operation, found)
}

test_an_override_is_told_from_a_definition if {
	found := literal("environment", "opaque", "aws access key id")
	rule.findings == {{"at": "/p", "variant": "override"}} with input as request("RunTask", found)
}

test_a_key_in_any_other_field_is_a_finding[field] if {
	some field in ["command", "image", "logOption", "tag", "secrets", "a field of the future"]
	some operation in ["RegisterTaskDefinition", "RunTask"]
	rule.findings == {{"at": "/p"}} with input as request(operation, literal(field, "random", "aws session token"))
}

test_a_value_that_cannot_be_a_key_is_none if {
	rule.findings == set() with input.literals as [literal("environment", "placeholder", "aws session token")]
}

test_another_secret_is_none if {
	rule.findings == set() with input.literals as [literal("environment", "random", "session token")]
}
