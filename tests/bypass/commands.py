"""Secrets that stand in a command, a health check or an entry point."""

from __future__ import annotations

from tests.bypass.hiding import Ways, command, shell, task

WAYS: Ways = {
    "a flag and its value in two arguments": lambda s: command("serve", "--db-password", s.password()),
    "a flag in quotes": lambda s: command("serve", f'"--db-password={s.password()}"'),
    "a flag with a value in quotes": lambda s: command("serve", f"--db-password='{s.password()}'"),
    "an option and an assignment": lambda s: command("serve", "--set", f"db.password={s.password()}"),
    "an option of Java": lambda s: command("java", f"-Ddb.password={s.password()}", "-jar", "app.jar"),
    "a flag with a colon": lambda s: command("serve", f"/password:{s.password()}"),
    "a flag of one letter": lambda s: command("serve", "-p", s.password()),
    "a flag of one letter with its value": lambda s: command("mysql", "-uroot", f"-p{s.password()}"),
    "a flag of one letter behind a path": lambda s: command("/usr/bin/mysql", f"-p{s.password()}"),
    "a flag with an equals sign apart": lambda s: command("serve", "--db-password", "=", s.password()),
    "a flag whose value looks like a flag": lambda s: command("serve", "--db-password", f"-{s.password()}"),
    "a shell in entryPoint": lambda s: task(
        {"entryPoint": ["sh", "-c"], "command": [f"export DB_PASSWORD={s.password()}; serve"]}
    ),
    "a health check": lambda s: task(
        {"healthCheck": {"command": ["CMD-SHELL", f"curl -u app:{s.password()} localhost"]}}
    ),
    "a health check in parts": lambda s: task(
        {"healthCheck": {"command": ["CMD", "curl", "-u", f"app:{s.password()}", "localhost"]}}
    ),
    "a shell": lambda s: shell(f"DB_PASSWORD={s.password()} serve"),
    "a shell in a shell": lambda s: shell(f"sh -c 'DB_PASSWORD={s.password()} serve'"),
    "a shell in a shell in a shell": lambda s: shell(f"sh -c \"sh -c 'serve --password {s.password()}'\""),
    "a shell with many quotes": lambda s: shell(f'sh -c "sh -c \\"sh -c \'serve --password {s.password()}\'\\""'),
    "a shell with a line that goes on": lambda s: shell(f"serve \\\n  --db-password \\\n  {s.password()}"),
    "a shell with a tab": lambda s: shell(f"serve --db-password\t{s.password()}"),
    "a shell with two spaces": lambda s: shell(f"serve --db-password  {s.password()}"),
    "a shell with a heredoc": lambda s: shell(f"cat > /etc/app.ini <<EOF\npassword = {s.password()}\nEOF\nserve"),
    "a shell with printf": lambda s: shell(f"printf '%s' {s.password()} | docker login -u app --password-stdin"),
    "a shell with echo": lambda s: shell(f"echo {s.password()} | docker login -u app --password-stdin"),
    "a shell with echo -n": lambda s: shell(f"echo -n '{s.password()}' | docker login --password-stdin"),
    "a shell with printf into a file": lambda s: shell(f"printf 'password=%s\\n' {s.password()} > /etc/app.ini"),
    "a shell that exports": lambda s: shell(f"export DB_PASSWORD={s.password()}; serve"),
    "a shell that exports in quotes": lambda s: shell(f"export DB_PASSWORD=$'{s.password()}'; serve"),
    "a shell that declares": lambda s: shell(f"declare -x DB_PASSWORD={s.password()}; serve"),
    "a shell that evals": lambda s: shell(f'eval "DB_PASSWORD={s.password()} serve"'),
    "a shell with env": lambda s: shell(f"env -i DB_PASSWORD={s.password()} serve"),
    "a shell with env -u": lambda s: shell(f"env -u HOME DB_PASSWORD={s.password()} serve"),
    "a shell with curl": lambda s: shell(f"curl -sS -u app:{s.password()} https://example.com"),
    "a shell with curl and no space": lambda s: shell(f"curl -uapp:{s.password()} https://example.com"),
    "a shell with curl and a header": lambda s: shell(f"curl -H 'X-Api-Key: {s.password()}' https://example.com"),
    "a shell with curl and authorization": lambda s: shell(
        f"curl -H 'Authorization: Bearer {s.password()}' https://example.com"
    ),
    "a shell with curl and oauth2": lambda s: shell(f"curl --oauth2-bearer {s.password()} https://example.com"),
    "a shell with curl and data": lambda s: shell(
        f"curl -d 'grant=a&client_secret={s.password()}' https://example.com"
    ),
    "a shell with curl and JSON": lambda s: shell(
        'curl -d \'{"password":"' + s.password() + "\"}' https://example.com"
    ),
    "a shell with wget": lambda s: shell(f"wget --http-password={s.password()} https://example.com"),
    "a shell with openssl": lambda s: shell(f"openssl enc -d -aes-256-cbc -pass pass:{s.password()} -in a -out b"),
    "a shell with openssl and a key": lambda s: shell(f"openssl enc -d -aes-256-cbc -k {s.password()} -in a -out b"),
    "a shell with sshpass": lambda s: shell(f"sshpass -p {s.password()} ssh example.com"),
    "a shell with mysql": lambda s: shell(f"mysql -uroot -p{s.password()} orders"),
    "a shell with psql": lambda s: shell(f"PGPASSWORD={s.password()} psql -h db"),
    "a shell with redis": lambda s: shell(f"redis-cli -h cache -a {s.password()} ping"),
    "a shell with useradd": lambda s: shell(f"useradd -p {s.password()} app"),
    "a shell with mount": lambda s: shell(f"mount -t cifs -o username=a,password={s.password()} //a/b /mnt"),
    "a shell with npm": lambda s: shell(f"npm config set //registry.example.com/:_authToken={s.password()}"),
    "a shell with git": lambda s: shell(f"git clone https://app:{s.password()}@git.example.com/a.git"),
    "a shell with SQL": lambda s: shell(f"psql -c \"ALTER USER app WITH PASSWORD '{s.password()}'\""),
    "a shell with SQL of MySQL": lambda s: shell(f"mysql -e \"ALTER USER app IDENTIFIED BY '{s.password()}'\""),
    "a shell with Python": lambda s: command(
        "python", "-c", f"import os; os.environ['DB_PASSWORD'] = '{s.password()}'"
    ),
    "a shell with node": lambda s: command("node", "-e", f"process.env.DB_PASSWORD = '{s.password()}'"),
    "a shell with cmd": lambda s: command("cmd", "/c", f"set DB_PASSWORD={s.password()}&& serve"),
    "a token as an argument": lambda s: command("serve", s.token()),
    "a token behind a comment": lambda s: shell(f"serve # {s.token()}"),
    "a secret among thousands of arguments": lambda s: command(
        *["a"] * 4000, f"--password={s.password()}", *["b"] * 900
    ),
    "a secret behind more arguments than are looked at": lambda s: command(*["a"] * 6000, f"--password={s.password()}"),
}
