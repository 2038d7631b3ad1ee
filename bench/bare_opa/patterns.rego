package bare

name_patterns := [
	`(?i)(^|[_.-])(password|passwd|pwd|secret|token|credentials?)([_.-]|$)`,
	`(?i)(api|access|account|encryption|private|signing)[_.-]?key([_.-]?id)?$`,
]

value_patterns := [
	`\b(AKIA|ASIA)[A-Z2-7]{16}\b`,
	`\bgh[pousr]_[A-Za-z0-9]{36}\b`,
	`\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b`,
	`\bglpat-[A-Za-z0-9_-]{20}\b`,
	`\bxox[abprs]-[A-Za-z0-9-]{10,}`,
	`https://hooks\.slack\.com/services/[A-Za-z0-9/]{40,}`,
	`\b[rs]k_live_[A-Za-z0-9]{24,}\b`,
	`\bAIza[A-Za-z0-9_-]{35}`,
	`\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}`,
	`\bnpm_[A-Za-z0-9]{36}\b`,
	`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`,
	`-----BEGIN [A-Z ]*PRIVATE KEY-----`,
	`[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`,
	`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.=-]{16,}`,
	`(?i)^--?[a-z-]*(password|secret|token|api-?key)[a-z-]*=.+`,
]

reference_patterns := [
	`^arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+(:[^:]*:[^:]*:[^:]*)?$`,
	`^arn:aws(-cn|-us-gov)?:ssm:[a-z0-9-]+:\d{12}:parameter/[A-Za-z0-9/_.-]+$`,
	`^[A-Za-z0-9/_.-]+$`,
]
