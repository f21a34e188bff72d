# Shape of: github.com/quarkusio/quarkus (devtools/project-core-extension-codestarts/src/main/resources/codestarts/quarkus/tooling/dockerfiles/base/src/main/docker/Dockerfile.tpl.qute.jvm)
####
# Runs the application on a virtual machine
#
# Compile first:
#
# ./mvnw package
#
# and then
#
# docker build -f src/main/docker/Dockerfile.jvm -t particle/shop-jvm .
#
# A debugger connects to a port
# that you expose yourself.
#
# Options: -e JAVA_OPTS_APPEND="…"
#
###
FROM registry.access.example.com/ubi8/openjdk-21:1.20

ENV LANGUAGE='en_US:en'


# what changes least comes first
COPY --chown=185 target/particle-app/lib/ /deployments/lib/
COPY --chown=185 target/particle-app/*.jar /deployments/
COPY --chown=185 target/particle-app/app/ /deployments/app/
COPY --chown=185 target/particle-app/particle/ /deployments/particle/

EXPOSE 8080
USER 185
ENV JAVA_OPTS_APPEND="-Dparticle.http.host=0.0.0.0 -Djava.util.logging.manager=org.example.LogManager"
ENV JAVA_APP_JAR="/deployments/particle-run.jar"

ENTRYPOINT [ "/opt/s2i/run-java.sh" ]
