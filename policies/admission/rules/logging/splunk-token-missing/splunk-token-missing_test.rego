package admission.rules.logging["splunk-token-missing_test"]

import data.admission.rules.logging["splunk-token-missing"] as rule

task(configuration) := {"containerDefinitions": [{"name": "app"}, {"name": "api", "logConfiguration": configuration}]}

at_api := {{"at": "/containerDefinitions/1/logConfiguration"}}

without := [
	{"logDriver": "splunk"},
	{"logDriver": "splunk", "options": {}, "secretOptions": []},
	{"logDriver": "splunk", "options": {"splunk-url": "<redacted>", "<redacted-1>": "<redacted>"}},
	{"logDriver": "splunk", "secretOptions": [{"name": "<redacted-1>", "valueFrom": "<redacted>"}]},
	{"logDriver": "splunk", "secretOptions": [{"name": "splunk-url", "valueFrom": "<redacted>"}]},
]

with_token := [
	{"logDriver": "splunk", "options": {"splunk-token": "<redacted>"}},
	{"logDriver": "splunk", "secretOptions": [
		{"name": "splunk-url", "valueFrom": "<redacted>"},
		{"name": "splunk-token", "valueFrom": "<redacted>"},
	]},
]

test_splunk_without_a_token_is_a_finding[configuration] if {
	some configuration in without
	rule.findings == at_api with input.object as task(configuration)
}

test_a_token_anywhere_is_enough[configuration] if {
	some configuration in with_token
	rule.findings == set() with input.object as task(configuration)
}

test_another_driver_needs_none[driver] if {
	some driver in ["awslogs", "awsfirelens", "<redacted-1>"]
	rule.findings == set() with input.object as task({"logDriver": driver})
}

test_the_log_of_service_connect_is_looked_at if {
	expected := {{"at": "/serviceConnectConfiguration/logConfiguration"}}
	service := {"serviceConnectConfiguration": {"enabled": true, "logConfiguration": {"logDriver": "splunk"}}}
	rule.findings == expected with input.object as service
}

test_service_connect_without_a_log_has_nothing_to_look_at if {
	rule.findings == set() with input.object as {"serviceConnectConfiguration": {"enabled": true}}
}

test_an_option_that_holds_nothing_is_no_token[kind] if {
	some kind in ["empty", "placeholder", "template"]
	place := "/containerDefinitions/0/logConfiguration"
	options := {"splunk-url": "<redacted>", "splunk-token": "<redacted>"}
	shown := {"containerDefinitions": [{"logConfiguration": {"logDriver": "splunk", "options": options}}]}
	found := [{"pointer": concat("/", [place, "options", "splunk-token"]), "kind": kind, "signals": []}]
	rule.findings == {{"at": place}} with input as {"object": shown, "literals": found}
}

test_what_is_resolved_at_deploy_has_a_rule_of_its_own if {
	place := "/containerDefinitions/0/logConfiguration"
	options := {"splunk-url": "<redacted>", "splunk-token": "<redacted>"}
	shown := {"containerDefinitions": [{"logConfiguration": {"logDriver": "splunk", "options": options}}]}
	signal := {"detector": "native", "rule": "resolved-at-deploy", "confidence": "high"}
	found := [{
		"pointer": concat("/", [place, "options", "splunk-token"]),
		"kind": "template",
		"words": [],
		"signals": [signal],
	}]
	rule.findings == set() with input as {"object": shown, "literals": found}
}
