# METADATA
# title: Secrets rotate
# description: |
#   A fact: whether a Secrets Manager secret that is referenced has rotation turned on. What is not known is one finding for
#   the whole request: recorded in baseline, a warning in restricted.
# related_resources:
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets.html
#     description: Rotate AWS Secrets Manager secrets
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     A secret that nobody changes serves whoever once got hold of it for as long as it exists.
#   severity: low
#   action: dryrun
#   fix: none
#   controls:
#     - AWS-FSBP:SecretsManager.1
#     - PCI-DSS-4.0.1:8.6.3
#   message: "{place} refers to a secret that does not rotate"
#   remediation: >-
#     Turn rotation on (aws secretsmanager rotate-secret), with managed rotation or a function of your own, and start a new
#     deployment of the service after each rotation, since a running task keeps the value it started with.
#   variants:
#     unknown:
#       action: dryrun
#       message: it is not known whether every secret that the request references rotates
#       remediation: >-
#         Let the service look it up in AWS, or check it before the deployment.
package admission.rules.rotation["not-rotated"]

import data.admission.lib.facts
import data.admission.lib.references

# METADATA
# scope: document
# description: The secrets that do not rotate, and the request where that is not known.
findings contains {"at": pointer} if {
	some pointer in (facts.known("reference", "rotates", false) & references.of("secretsmanager"))
}

findings contains {"at": "", "variant": "unknown"} if {
	count(facts.unknown("reference", "rotates") & references.of("secretsmanager")) > 0
}
