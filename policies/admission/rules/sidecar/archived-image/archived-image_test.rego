package admission.rules.sidecar["archived-image_test"]

import data.admission.rules.sidecar["archived-image"] as rule

test_the_archived_image_is_a_finding if {
	image := "public.ecr.aws/aws-containers/aws-secrets-manager-secret-sidecar:v0.1.4"
	expected := {{"at": "/containerDefinitions/1/image"}}
	rule.findings == expected with input.object.containerDefinitions as [{"image": "web:1"}, {"image": image}]
}

test_another_image_that_writes_secrets_is_none if {
	rule.findings == set() with input.object.containerDefinitions as [{"image": "our-injector:1"}]
		with data.config.sidecar.images as ["our-injector"]
}
