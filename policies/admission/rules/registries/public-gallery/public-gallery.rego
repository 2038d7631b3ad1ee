# METADATA
# title: Images of the Amazon ECR Public Gallery are pulled anonymously
# description: |
#   AWS's page on sensitive data recommends registry credentials for images of the Amazon ECR Public Gallery. ECS pulls
#   such an image without them all the same, and what is at stake is availability, not secrecy, so that this is recorded
#   and neither warned of nor denied: ADR 0008 says what anonymous pulls mean.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
#   - ref: https://docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html
#     description: Amazon ECR Public service quotas
# custom:
#   why: >-
#     Anonymous pulls share a quota that AWS does not raise, so that tasks may not start while many others do.
#   severity: low
#   action: dryrun
#   fix: none
#   message: an image of the Amazon ECR Public Gallery is pulled anonymously
#   remediation: >-
#     Let a pull through cache rule of Amazon ECR fetch public.ecr.aws, or copy the image, and name the image in the
#     account's own private registry, from which it is pulled with the permissions of the execution role.
package admission.rules.registries["public-gallery"]

import data.admission.lib.images
import data.admission.lib.operations

# METADATA
# scope: document
# description: The images of the gallery in containers without registry credentials.
findings contains {"at": concat("/", [place, "image"])} if {
	operations.defines
	some place, registry in images.registries
	images.is_gallery(registry)
	not place in images.with_credentials
}
