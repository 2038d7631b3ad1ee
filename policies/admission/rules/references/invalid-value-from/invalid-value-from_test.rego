package admission.rules.references["invalid-value-from_test"]

import data.admission.rules.references["invalid-value-from"] as rule

reference(field, problem) := {"pointer": "/p", "field": field, "problem": problem}

test_a_problem_is_a_finding_of_its_variant[field] if {
	some field in ["secrets", "secretOptions"]
	expected := {{"at": "/p", "variant": "malformed-arn"}}
	rule.findings == expected with input.references as [reference(field, "malformed-arn")]
}

test_a_reference_that_parses_is_none if {
	rule.findings == set() with input.references as [reference("secrets", null)]
}

test_another_field_is_none[field] if {
	some field in ["environment", "repositoryCredentials", "environmentFiles"]
	rule.findings == set() with input.references as [reference(field, "malformed-arn")]
}
