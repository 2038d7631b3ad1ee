package admission.lib.containers_test

import data.admission.lib.containers

waiting := {"containerDefinitions": [
	{"name": "app", "dependsOn": [
		{"containerName": "proxy", "condition": "START"},
		{"containerName": "setup", "condition": "SUCCESS"},
	]},
	{"name": "proxy", "dependsOn": [{"containerName": "nobody", "condition": "HEALTHY"}]},
	{"name": "setup", "essential": false, "dependsOn": [{"containerName": "first", "condition": "COMPLETE"}]},
	{"name": "first", "essential": true},
]}

test_containers_are_found_by_their_pointers if {
	expected := {"/containerDefinitions/0": {"name": "a"}, "/containerDefinitions/1": {"name": "b"}}
	containers.at == expected with input.object as {"containerDefinitions": [{"name": "a"}, {"name": "b"}]}
}

test_an_override_is_one if {
	request := {"overrides": {"cpu": "256", "containerOverrides": [{"name": "a"}]}}
	containers.at == {"/overrides/containerOverrides/0": {"name": "a"}} with input.object as request
}

test_the_container_of_express_mode_is_one if {
	containers.at == {"/primaryContainer": {"image": "a"}} with input.object as {"primaryContainer": {"image": "a"}}
}

test_an_operation_without_containers_has_none if {
	containers.at == {} with input.object as {"serviceName": "web"}
}

test_only_a_task_definition_defines_containers if {
	request := {
		"containerDefinitions": [{"name": "a"}],
		"overrides": {"containerOverrides": [{"name": "b"}]},
		"primaryContainer": {"image": "c"},
	}
	containers.defined == {"/containerDefinitions/0": {"name": "a"}} with input.object as request
}

test_a_name_leads_to_the_first_container_that_has_it if {
	request := {"containerDefinitions": [{}, {"name": "a"}, {"name": "b"}, {"name": "a"}]}
	expected := {"a": "/containerDefinitions/1", "b": "/containerDefinitions/2"}
	containers.named == expected with input.object as request
}

test_each_entry_of_depends_on_is_a_wait if {
	expected := {
		"/containerDefinitions/0": {
			"/containerDefinitions/1": {{"at": "/containerDefinitions/0/dependsOn/0", "condition": "START"}},
			"/containerDefinitions/2": {{"at": "/containerDefinitions/0/dependsOn/1", "condition": "SUCCESS"}},
		},
		"/containerDefinitions/2": {"/containerDefinitions/3": {{
			"at": "/containerDefinitions/2/dependsOn/0",
			"condition": "COMPLETE",
		}}},
	}
	containers.waits == expected with input.object as waiting
}

test_what_starts_before_a_container_is_what_it_waits_for_and_what_that_waits_for if {
	everybody := {"/containerDefinitions/0", "/containerDefinitions/1", "/containerDefinitions/2", "/containerDefinitions/3"}
	containers.before("/containerDefinitions/0") == everybody with input.object as waiting
	containers.before("/containerDefinitions/3") == {"/containerDefinitions/3"} with input.object as waiting
}

test_a_container_is_essential_unless_it_says_otherwise if {
	containers.essential("/containerDefinitions/0") with input.object as waiting
	containers.essential("/containerDefinitions/3") with input.object as waiting
	not containers.essential("/containerDefinitions/2") with input.object as waiting
	not containers.essential("/containerDefinitions/4") with input.object as waiting
}

test_what_has_ended_or_is_healthy_before_a_container_starts_is_not_what_only_has_started if {
	ready := {"/containerDefinitions/0", "/containerDefinitions/2", "/containerDefinitions/3"}
	containers.ready_before("/containerDefinitions/0") == ready with input.object as waiting
}
