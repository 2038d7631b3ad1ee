package admission.lib.images_test

import data.admission.lib.images

image(name) := {"containerDefinitions": [{"image": name}]}

registries := {
	"web": "docker.io",
	"web:1": "docker.io",
	"library/web:1": "docker.io",
	"team/web@sha256:ab": "docker.io",
	"localhost/web": "localhost",
	"registry.example.com/web:1": "registry.example.com",
	"Registry.Example.com/web": "registry.example.com",
	"registry:5000/team/web:1": "registry:5000",
}

test_the_registry_is_what_stands_before_the_first_slash_and_looks_like_a_host[name] if {
	some name, registry in registries
	images.registries == {"/containerDefinitions/0": registry} with input.object as image(name)
}

test_of_an_image_that_is_not_shown_nobody_can_say if {
	images.registries == {} with input.object as image("<redacted-1>")
}

test_a_container_without_an_image_has_no_registry if {
	images.registries == {} with input.object as {"primaryContainer": {"containerPort": 80}}
}

test_every_kind_of_container_is_looked_at if {
	body := {"primaryContainer": {"image": "registry.example.com/web"}}
	images.registries == {"/primaryContainer": "registry.example.com"} with input.object as body
}

test_the_containers_with_credentials_are_told_from_those_without if {
	credentials := {"repositoryCredentials": {"credentialsParameter": "<redacted>"}}
	expected := {"/containerDefinitions/1"}
	images.with_credentials == expected with input.object as {"containerDefinitions": [{"image": "web"}, credentials]}
}

private := [
	"111122223333.dkr.ecr.eu-central-1.amazonaws.com",
	"111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
	"111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
	"111122223333.dkr-ecr.eu-central-1.on.aws",
	"111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu",
]

no_ecr := [
	"public.ecr.aws",
	"registry.example.com",
	"dkr.ecr.eu-central-1.amazonaws.com",
	"111122223333.dkr.ecr.eu-central-1.amazonaws.com.example.com",
	"111122223333.dkr.ecr.eu-central-1.amazonawsxcom",
]

test_a_host_of_ecr_is_known_in_every_partition[registry] if {
	some registry in private
	images.is_ecr(registry)
}

test_what_only_looks_like_one_is_not[registry] if {
	some registry in no_ecr
	not images.is_ecr(registry)
}

test_the_gallery_has_two_names if {
	images.is_gallery("public.ecr.aws")
	images.is_gallery("ecr-public.aws.com")
	not images.is_gallery("gallery.example.com")
}

test_public_is_what_the_data_lists if {
	images.is_public("docker.io")
	not images.is_public("registry.example.com")
}
