package admission.lib.references_test

import data.admission.lib.references

test_what_ecs_resolves_is_injected[field] if {
	some field in {
		"secrets",
		"secretOptions",
		"repositoryCredentials",
		"environmentFiles",
		"firelensOption",
		"credentialSpecs",
		"dockerSecurityOptions",
		"fsxCredentials",
	}
	references.injected == {{"field": field}} with input.references as [{"field": field}]
}

test_what_it_does_not_resolve_is_not if {
	count(references.injected) == 0 with input.references as [{"field": "environment"}]
	count(references.injected) == 0 with input as {}
}
