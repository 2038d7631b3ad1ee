package admission.rules.registries["credentials-unneeded_test"]

import data.admission.rules.registries["credentials-unneeded"] as rule

container(image) := {"image": image, "repositoryCredentials": {"credentialsParameter": "<redacted>"}}

ecr := "111122223333.dkr.ecr.eu-central-1.amazonaws.com/web:1"

test_credentials_beside_an_image_of_ecr_are_a_finding if {
	expected := {{"at": "/containerDefinitions/1/repositoryCredentials"}}
	rule.findings == expected with input.object as {"containerDefinitions": [{"image": "web"}, container(ecr)]}
}

test_the_container_of_express_mode_is_one if {
	expected := {{"at": "/primaryContainer/repositoryCredentials"}}
	rule.findings == expected with input.object as {"primaryContainer": container(ecr)}
}

test_an_image_of_ecr_alone_is_none if {
	rule.findings == set() with input.object as {"containerDefinitions": [{"image": ecr}]}
}

test_credentials_of_another_registry_are_none[image] if {
	some image in ["registry.example.com/web:1", "web", "public.ecr.aws/example/web", "<redacted-1>"]
	rule.findings == set() with input.object as {"containerDefinitions": [container(image)]}
}
