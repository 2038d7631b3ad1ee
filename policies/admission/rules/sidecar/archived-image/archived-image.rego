# METADATA
# title: The sidecar's image is one that is maintained
# description: |
#   AWS's page on secrets names an image that writes a secret to a volume, aws-secrets-manager-secret-sidecar. Its
#   repository is archived: it was a proof of concept and gets no fixes. It also exits with 0 where it could not read
#   the secret, so that not even SUCCESS proves that the file is there.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
#   - ref: https://github.com/aws-samples/aws-secret-sidecar-injector
#     description: The archived repository of the image
# custom:
#   why: >-
#     The image holds libraries of 2022 with the flaws found since then, and an application starts without its secret
#     when a permission is missing.
#   severity: low
#   action: warn
#   fix: none
#   message: a sidecar runs an image for secrets that is archived and exits with 0 even where it failed
#   remediation: >-
#     Let the application read the secret itself with its task role, or write it to the volume with an image of your
#     own that ends with another code than 0 when it fails. Until then let the application check that the file exists.
package admission.rules.sidecar["archived-image"]

import data.admission.lib.containers
import data.admission.lib.sidecar

# METADATA
# scope: document
# description: The archived images.
findings contains {"at": concat("/", [place, "image"])} if {
	some place, container in containers.defined
	sidecar.runs(container, data.config.sidecar.archived)
}
