package admission.rules.isolation["execute-command_test"]

import data.admission.rules.isolation["execute-command"] as rule

test_ecs_exec_is_a_finding if {
	rule.findings == {{"at": "/enableExecuteCommand"}} with input.object as {"enableExecuteCommand": true}
}

test_without_it_there_is_none if {
	rule.findings == set() with input.object as {"enableExecuteCommand": false}
	rule.findings == set() with input.object as {"serviceName": "web"}
}

test_an_init_process_alone_opens_nothing if {
	container := {"name": "app", "linuxParameters": {"initProcessEnabled": true}}
	rule.findings == set() with input.object as {"containerDefinitions": [container]}
}
