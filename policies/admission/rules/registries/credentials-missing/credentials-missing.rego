# METADATA
# title: An image of a private registry has its credentials
# description: |
#   An image of Amazon ECR is pulled with a role, and one of a registry that serves everybody needs nothing. For any other
#   registry ECS takes user and password from the Secrets Manager secret that repositoryCredentials names. Which
#   registries serve everybody is data, in config/registries.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
#     description: Using non-AWS container images in Amazon ECS
# custom:
#   why: >-
#     A registry that asks who pulls refuses, and no task starts; on EC2 the credentials are then often put on the
#     instances, where every task uses them and nobody rotates them.
#   severity: low
#   action: warn
#   fix: none
#   message: an image of a registry that is neither Amazon ECR nor known to serve everybody has no repositoryCredentials
#   remediation: >-
#     Store user and password as JSON with the keys username and password in an AWS Secrets Manager secret and give its ARN
#     as credentialsParameter of the container's repositoryCredentials; or copy the image to Amazon ECR. A registry that
#     asks for no credentials belongs in the list public of config/registries.
package admission.rules.registries["credentials-missing"]

import data.admission.lib.images
import data.admission.lib.operations

# METADATA
# scope: document
# description: The absent credentials of the containers whose image comes from a registry that is not known to need none.
findings contains {"at": concat("/", [place, "repositoryCredentials"])} if {
	operations.defines
	some place, registry in images.registries
	not _serves(registry)
	not place in images.with_credentials
}

_serves(registry) if images.is_ecr(registry)

_serves(registry) if images.is_gallery(registry)

_serves(registry) if images.is_public(registry)
