package admission.rules.references["invalid-reference_test"]

import data.admission.rules.references["invalid-reference"] as rule

reference(field, problem) := {"pointer": "/p", "field": field, "problem": problem}

test_a_problem_is_a_finding_of_its_field[field] if {
	some field in ["credentialSpecs", "dockerSecurityOptions", "firelensOption", "fsxCredentials"]
	expected := {{"at": "/p", "variant": field}}
	rule.findings == expected with input.references as [reference(field, "malformed-arn")]
}

test_a_reference_that_parses_is_none if {
	rule.findings == set() with input.references as [reference("fsxCredentials", null)]
}

test_fields_with_a_rule_of_their_own_are_none[field] if {
	some field in ["secrets", "secretOptions", "repositoryCredentials", "environmentFiles", "environment"]
	rule.findings == set() with input.references as [reference(field, "malformed-arn")]
}
