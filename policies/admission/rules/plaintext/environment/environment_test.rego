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

test_an_override_is_told_from_a_definition[operation] if {
	some operation in ["RunTask", "StartTask"]
	expected := {{"at": "/p", "variant": "override"}}
	request := {"operation": operation}
	found := [literal("environment", "opaque", "name")]
	environment.findings == expected with input as {"request": request, "literals": found}
}

test_other_operations_have_the_words_of_the_rule[operation] if {
	some operation in ["CreateExpressGatewayService", "RegisterDaemonTaskDefinition"]
	request := {"operation": operation}
	found := [literal("environment", "opaque", "name")]
	environment.findings == {{"at": "/p"}} with input as {"request": request, "literals": found}
}

test_a_secret_in_a_name_has_words_of_its_own[operation] if {
	some operation in ["RegisterTaskDefinition", "RunTask"]
	found := object.union(literal("environment", "text", "native"), {"pointer": "/environment/0/name"})
	expected := {{"at": "/environment/0/name", "variant": "name"}}
	environment.findings == expected with input as {"request": {"operation": operation}, "literals": [found]}
}

test_a_literal_of_another_rule_is_none[rule] if {
	some rule in ["aws-access-key-id", "resolved-at-deploy"]
	signal := {"detector": "native", "rule": rule, "confidence": "high"}
	found := object.union(literal("environment", "opaque", "name"), {"signals": [signal]})
	environment.findings == set() with input.literals as [found]
}
