package admission.rules.logging["option-collision_test"]

import data.admission.rules.logging["option-collision"] as rule

log(options, secrets) := {"logConfiguration": {
	"options": {name: "<redacted>" | some name in options},
	"secretOptions": [{"name": name} | some name in secrets],
}}

test_a_secret_option_that_is_an_option_is_a_finding if {
	expected := {{"at": "/containerDefinitions/1/logConfiguration/secretOptions/1/name", "variant": "option"}}
	containers := [log(["url"], ["token"]), log(["url", "token"], ["other", "token"])]
	rule.findings == expected with input.object as {"containerDefinitions": containers}
}

test_each_secret_option_named_like_an_earlier_one_is_a_finding if {
	expected := {
		{"at": "/containerDefinitions/0/logConfiguration/secretOptions/1/name", "variant": "secret"},
		{"at": "/containerDefinitions/0/logConfiguration/secretOptions/2/name", "variant": "secret"},
	}
	rule.findings == expected with input.object as {"containerDefinitions": [log([], ["a", "a", "a"])]}
}

test_the_log_of_service_connect_is_looked_at if {
	expected := {{"at": "/serviceConnectConfiguration/logConfiguration/secretOptions/0/name", "variant": "option"}}
	rule.findings == expected with input.object as {"serviceConnectConfiguration": log(["token"], ["token"])}
}

test_different_names_are_none if {
	rule.findings == set() with input.object as {"containerDefinitions": [log(["url"], ["token", "other"])]}
}

test_names_of_another_container_are_none if {
	containers := [log(["token"], ["other"]), log([], ["token"])]
	rule.findings == set() with input.object as {"containerDefinitions": containers}
}

test_a_log_without_either_is_none if {
	containers := [{"logConfiguration": {"logDriver": "awslogs"}}, {"name": "app"}]
	rule.findings == set() with input.object as {"containerDefinitions": containers}
}
