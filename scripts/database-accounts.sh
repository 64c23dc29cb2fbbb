# Read by the MySQL image's own start when it makes a new database (compose.yaml): the account of the application, which as yet may
# do nothing, and the right of the owner's account to say what it may (`flask database-grants`).
docker_process_sql <<SQL
CREATE USER 'chairside'@'%' IDENTIFIED BY '${DATABASE_PASSWORD}';
GRANT ALL PRIVILEGES ON \`${MYSQL_DATABASE}\`.* TO '${MYSQL_USER}'@'%' WITH GRANT OPTION;
SQL
