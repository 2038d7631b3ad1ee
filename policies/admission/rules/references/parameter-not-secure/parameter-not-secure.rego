# METADATA
# title: Secrets in SecureString parameters
# description: |
#   A fact: whether an SSM parameter that is referenced as a secret is a SecureString. One of type String is stored and shown
#   in clear. What is not known is one finding for the whole request: recorded in baseline, a warning in restricted.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
#   - ref: https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
#     description: AWS KMS encryption for AWS Systems Manager Parameter Store SecureString parameters
# custom:
#   why: >-
#     Whoever may call ssm:GetParameter on a String reads it without the right to any key, and the console shows it.
#   severity: medium
#   action: warn
#   fix: none
#   controls:
#     - PCI-DSS-4.0.1:8.3.2
#     - NIST-800-53:SC-28
#   message: "{place} refers to an SSM parameter that is not a SecureString"
#   remediation: >-
#     Delete the parameter and create it again as a SecureString with a new value (the type of a parameter cannot be changed),
#     and let the execution role call kms:Decrypt if a customer managed key encrypts it. What is no secret belongs in
#     environment.
#   variants:
#     unknown:
#       action: dryrun
#       message: it is not known whether every SSM parameter that is referenced as a secret is a SecureString
#       remediation: >-
#         Let the service look it up in AWS, or check it before the deployment.
package admission.rules.references["parameter-not-secure"]

import data.admission.lib.facts

# METADATA
# scope: document
# description: The secrets that are kept in clear, and the request where that is not known.
findings contains {"at": pointer} if some pointer in (facts.known("reference", "secure", false) & _parameters)

findings contains {"at": "", "variant": "unknown"} if count(facts.unknown("reference", "secure") & _parameters) > 0

# What a credential spec or an application reads from a parameter need not be a secret.
_parameters contains reference.pointer if {
	some reference in input.references
	reference.service == "ssm"
	reference.field in {"secrets", "secretOptions", "fsxCredentials"}
}
