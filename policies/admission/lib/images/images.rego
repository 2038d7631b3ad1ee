# METADATA
# title: Where the images of a request come from
# description: The registries of images, judged with the lists of data.config.registries.
package admission.lib.images

import data.admission.lib.containers

# METADATA
# scope: document
# description: |
#   The registry of each container whose image is shown, by the container's pointer. An image that names no host comes
#   from Docker Hub; of one that is not shown nobody can say.
registries[place] := _registry(container.image) if {
	some place, container in containers.at
	not startswith(container.image, "<redacted-")
}

# METADATA
# scope: document
# description: The pointers of the containers with registry credentials.
with_credentials contains place if {
	some place, container in containers.at
	container.repositoryCredentials
}

# METADATA
# description: True for a private registry of Amazon ECR.
is_ecr(registry) if regex.match(data.config.registries.ecr, registry)

# METADATA
# description: True for the Amazon ECR Public Gallery.
is_gallery(registry) if registry in data.config.registries.gallery

# METADATA
# description: True where most images can be pulled by anybody.
is_public(registry) if registry in data.config.registries.public

default _registry(_) := "docker.io"

_registry(image) := lower(split(image, "/")[0]) if regex.match(`^([^/]*[.:][^/]*|localhost)/`, image)
