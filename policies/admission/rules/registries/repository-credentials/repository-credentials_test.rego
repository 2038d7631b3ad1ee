package admission.rules.registries["repository-credentials_test"]

import data.admission.rules.registries["repository-credentials"] as rule

reference(field, problem) := {"pointer": "/p", "field": field, "problem": problem}

test_credentials_that_do_not_parse_are_a_finding if {
	rule.findings == {{"at": "/p"}} with input.references as [reference("repositoryCredentials", "wrong-service")]
}

test_credentials_that_parse_are_none if {
	rule.findings == set() with input.references as [reference("repositoryCredentials", null)]
}

test_another_field_is_none if {
	rule.findings == set() with input.references as [reference("secrets", "wrong-service")]
}
