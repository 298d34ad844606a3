"""How files travel: a folder, SFTP, mail, HTTPS."""
