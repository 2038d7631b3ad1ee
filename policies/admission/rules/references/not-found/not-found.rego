# METADATA
# title: What is referenced exists
# description: |
#   A fact: whether AWS knows the secret, parameter or bucket that a reference names, and whether it waits for its deletion.
#   What is not known is one finding for the whole request: recorded in baseline, a warning in restricted.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
#     description: Amazon ECS stopped tasks error messages
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html
#     description: Delete an AWS Secrets Manager secret
# custom:
#   why: >-
#     The registration succeeds and each task stops with ResourceInitializationError while it starts.
#   severity: high
#   action: deny
#   fix: none
#   message: "{place} refers to something that does not exist"
#   remediation: >-
#     Create the secret, parameter or bucket in the account and Region that the reference names, or correct the name. Copy the
#     ARN that AWS shows, since a secret that was deleted and created again has another one.
#   variants:
#     deletion:
#       message: "{place} refers to a secret that is scheduled for deletion, which nobody can read"
#       remediation: >-
#         Restore the secret (aws secretsmanager restore-secret), or reference the one that takes its place.
#     unknown:
#       action: dryrun
#       message: it is not known whether everything that the request references exists
#       remediation: >-
#         Let the service look it up in AWS, or check it before the deployment.
package admission.rules.references["not-found"]

import data.admission.lib.facts
import data.admission.lib.references

# METADATA
# scope: document
# description: The references to what does not exist or soon will not, and the request where that is not known.
findings contains {"at": pointer} if some pointer in facts.known("reference", "exists", false)

findings contains {"at": pointer, "variant": "deletion"} if {
	some pointer in facts.known("reference", "deletionScheduled", true)
}

findings contains {"at": "", "variant": "unknown"} if {
	pointers := {reference.pointer | some reference in references.sound}
	count(facts.unknown("reference", "exists") & pointers) > 0
}
