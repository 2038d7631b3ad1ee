package admission.lib.references_test

import data.admission.lib.references

test_what_ecs_resolves_is_injected[field] if {
	some field in [
		"secrets",
		"secretOptions",
		"repositoryCredentials",
		"environmentFiles",
		"firelensOption",
		"credentialSpecs",
		"dockerSecurityOptions",
		"fsxCredentials",
	]
	count(references.injected) == 1 with input.references as [{"field": field}]
}

test_what_it_does_not_resolve_is_not if {
	count(references.injected) == 0 with input.references as [{"field": "environment"}]
	count(references.injected) == 0 with input as {}
}

found := [
	{"pointer": "/a", "service": "ssm", "problem": null},
	{"pointer": "/b", "service": "secretsmanager", "problem": null},
	{"pointer": "/c", "service": "ssm", "problem": "invalid-name"},
]

test_what_parses_is_sound if {
	{reference.pointer | some reference in references.sound} == {"/a", "/b"} with input.references as found
}

test_references_are_told_by_service if {
	references.of("ssm") == {"/a"} with input.references as found
	references.of("secretsmanager") == {"/b"} with input.references as found
	references.of("s3") == set() with input.references as found
}
