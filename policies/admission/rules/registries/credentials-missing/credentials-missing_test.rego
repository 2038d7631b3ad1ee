package admission.rules.registries["credentials-missing_test"]

import data.admission.rules.registries["credentials-missing"] as rule

request(operation, body) := {"request": {"operation": operation}, "object": body}

task(container) := request("RegisterTaskDefinition", {"containerDefinitions": [{"image": "web:1"}, container]})

credentials := {"credentialsParameter": "<redacted>"}

test_a_registry_that_nobody_knows_is_a_finding[image] if {
	some image in ["registry.example.com/web:1", "example.azurecr.io/web", "registry:5000/web"]
	expected := {{"at": "/containerDefinitions/1/repositoryCredentials"}}
	rule.findings == expected with input as task({"image": image})
}

test_credentials_are_enough if {
	container := {"image": "registry.example.com/web:1", "repositoryCredentials": credentials}
	rule.findings == set() with input as task(container)
}

test_ecr_the_gallery_and_public_registries_need_none[image] if {
	some image in [
		"111122223333.dkr.ecr.eu-central-1.amazonaws.com/web:1",
		"public.ecr.aws/example/web:1",
		"quay.io/example/web:1",
		"example/web",
	]
	rule.findings == set() with input as task({"image": image})
}

test_an_image_that_is_not_shown_is_none if {
	rule.findings == set() with input as task({"image": "<redacted-1>"})
}

test_the_container_of_express_mode_is_one if {
	body := {"primaryContainer": {"image": "registry.example.com/web:1"}}
	expected := {{"at": "/primaryContainer/repositoryCredentials"}}
	rule.findings == expected with input as request("CreateExpressGatewayService", body)
}

test_an_update_keeps_what_it_does_not_name if {
	body := {"primaryContainer": {"image": "registry.example.com/web:1"}}
	rule.findings == set() with input as request("UpdateExpressGatewayService", body)
}
