# METADATA
# title: The role may read what the request references
# description: |
#   ECS reads secrets, secret log options, registry credentials and environment files with the task execution role, and an
#   application reads what its environment names with the task role. Where it is known that the role may not, or may not
#   use the key that encrypts it, the task cannot start or the application cannot work. What is not known is recorded, and
#   warned of in the profile restricted, with one finding for the whole request. Names of roles say nothing here.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
#     description: Amazon ECS task execution IAM role
# custom:
#   why: >-
#     The task stops with ResourceInitializationError each time it is started; in a hurry the role is then given every
#     secret of the account.
#   severity: high
#   action: deny
#   fix: none
#   message: "{place} names a secret that the task execution role may not read"
#   remediation: >-
#     Allow secretsmanager:GetSecretValue on the ARN of this secret in a policy of the task execution role, and where a
#     customer managed key encrypts it, kms:Decrypt on that key. A secret of another account also has to allow the role
#     in its resource policy.
#   variants:
#     parameter:
#       message: "{place} names a parameter that the task execution role may not read"
#       remediation: >-
#         Allow ssm:GetParameters (the plural: ssm:GetParameter does not serve) on the ARN of this parameter in a policy
#         of the task execution role, and where a customer managed key encrypts it, kms:Decrypt on that key.
#     object:
#       message: "{place} names an S3 object that the task execution role may not read"
#       remediation: >-
#         Allow s3:GetObject on the ARN of this object and s3:GetBucketLocation on its bucket in a policy of the task
#         execution role, and where a customer managed key encrypts it, kms:Decrypt on that key.
#     task-role:
#       message: variable {name} of container {container} names what the task role may not read
#       remediation: >-
#         Allow the call that the application makes in a policy of the task role, on this ARN alone:
#         secretsmanager:GetSecretValue for a secret, ssm:GetParameter or ssm:GetParameters for a parameter, s3:GetObject
#         for an S3 object; and where a customer managed key encrypts it, kms:Decrypt on that key.
#     decrypt:
#       message: "{place} names what a key encrypts that the role may not use"
#       remediation: >-
#         Allow kms:Decrypt on the ARN of the key in a policy of the role that reads this, which is the task execution role,
#         or the task role where the application reads it by itself. The key policy has to leave it to IAM or to name the
#         role, and has to name it where the key belongs to another account.
#     unknown:
#       action: dryrun
#       message: it is not known whether the roles may read and decrypt all that the request references
#       remediation: >-
#         Let the service look the roles up, or check by hand that they allow secretsmanager:GetSecretValue,
#         ssm:GetParameters or s3:GetObject on what is referenced, and kms:Decrypt on the customer managed keys.
package admission.rules.roles["may-not-read"]

import data.admission.lib.facts
import data.admission.lib.references

# METADATA
# scope: document
# description: The references that a role is known not to read or decrypt, and the request where that is not known.
findings contains object.union({"at": reference.pointer}, _variant(reference)) if {
	unreadable := facts.known("reference", "readable", false)
	some reference in _read
	reference.pointer in unreadable
}

findings contains {"at": reference.pointer, "variant": "decrypt"} if {
	locked := facts.known("reference", "decryptable", false)
	some reference in _read
	reference.pointer in locked
}

findings contains {"at": "", "variant": "unknown"} if {
	some attribute in ["readable", "decryptable"]
	known := facts.known("reference", attribute, true) | facts.known("reference", attribute, false)
	some reference in _read
	not reference.pointer in known
}

# What a role reads: nobody resolves a reference that stands where ECS takes none.
_read := references.injected | {reference |
	some reference in input.references
	reference.field == "application"
}

default _variant(_) := {}

_variant(reference) := {"variant": "task-role"} if reference.field == "application"

_variant(reference) := {"variant": _variants[reference.service]} if reference.field != "application"

_variants := {"ssm": "parameter", "s3": "object"}
