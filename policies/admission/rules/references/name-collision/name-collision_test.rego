package admission.rules.references["name-collision_test"]

import data.admission.rules.references["name-collision"] as rule

container(variables, secrets) := {
	"environmentNames": variables,
	"secrets": [{"name": name} | some name in secrets],
}

test_a_secret_named_like_a_variable_is_a_finding if {
	expected := {{"at": "/containerDefinitions/1/secrets/1/name", "variant": "environment"}}
	containers := [container([], []), container(["A", "B"], ["C", "B"])]
	rule.findings == expected with input.object.containerDefinitions as containers
}

test_each_secret_named_like_an_earlier_one_is_a_finding if {
	expected := {
		{"at": "/containerDefinitions/0/secrets/1/name", "variant": "secret"},
		{"at": "/containerDefinitions/0/secrets/2/name", "variant": "secret"},
	}
	rule.findings == expected with input.object.containerDefinitions as [container([], ["A", "A", "A"])]
}

test_names_of_another_container_are_none if {
	containers := [container(["A"], ["B"]), container(["B"], ["A"])]
	rule.findings == set() with input.object.containerDefinitions as containers
}

test_a_container_without_either_is_none if {
	rule.findings == set() with input.object.containerDefinitions as [{"name": "app"}]
}

test_an_environment_without_a_name_is_none if {
	rule.findings == set() with input.object.containerDefinitions as [container([null, null], ["A"])]
}

test_the_container_of_express_mode_is_looked_at if {
	expected := {{"at": "/primaryContainer/secrets/0/name", "variant": "environment"}}
	rule.findings == expected with input.object as {"primaryContainer": container(["A"], ["A"])}
}
