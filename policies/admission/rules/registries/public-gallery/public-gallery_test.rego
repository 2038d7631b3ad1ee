package admission.rules.registries["public-gallery_test"]

import data.admission.rules.registries["public-gallery"] as rule

request(operation, body) := {"request": {"operation": operation}, "object": body}

task(container) := request("RegisterTaskDefinition", {"containerDefinitions": [{"image": "web:1"}, container]})

gallery := {"image": "public.ecr.aws/example/web:1"}

credentials := {"repositoryCredentials": {"credentialsParameter": "<redacted>"}}

test_an_image_of_the_gallery_is_a_finding if {
	rule.findings == {{"at": "/containerDefinitions/1/image"}} with input as task(gallery)
}

test_one_with_credentials_is_none if {
	rule.findings == set() with input as task(object.union(gallery, credentials))
}

test_an_image_of_another_registry_is_none[image] if {
	some image in ["docker.io/library/web", "111122223333.dkr.ecr.eu-central-1.amazonaws.com/public.ecr.aws/web"]
	rule.findings == set() with input as task({"image": image})
}

test_the_container_of_express_mode_is_one if {
	expected := {{"at": "/primaryContainer/image"}}
	rule.findings == expected with input as request("CreateExpressGatewayService", {"primaryContainer": gallery})
}

test_an_update_keeps_what_it_does_not_name if {
	rule.findings == set() with input as request("UpdateExpressGatewayService", {"primaryContainer": gallery})
}
