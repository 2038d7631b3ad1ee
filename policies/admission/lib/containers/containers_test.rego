package admission.lib.containers_test

import data.admission.lib.containers

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
