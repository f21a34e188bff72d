# Shape of: github.com/quarkusio/quarkus (devtools/project-core-extension-codestarts/Dockerfile.jvm)
####
# Runs the application on a virtual machine
#
# Before building the container image run:
#
# ./mvnw package
#
# Then, build the image with:
#
# docker build -f src/main/docker/Dockerfile.jvm -t particle/shop-jvm .
#
# If you want to include the debug port into your docker image
# you will have to expose the debug port (default 5005 being the default) like this :  EXPOSE 8080 5005.
#
# You can also use -e JAVA_OPTS_APPEND="…"
#
###
FROM registry.access.example.com/ubi8/openjdk-21:1.20

ENV LANGUAGE='en_US:en'


# We make four distinct layers so if there are application changes the library layers can be re-used
COPY --chown=185 target/particle-app/lib/ /deployments/lib/
COPY --chown=185 target/particle-app/*.jar /deployments/
COPY --chown=185 target/particle-app/app/ /deployments/app/
COPY --chown=185 target/particle-app/particle/ /deployments/particle/

EXPOSE 8080
USER 185
ENV JAVA_OPTS_APPEND="-Dparticle.http.host=0.0.0.0 -Djava.util.logging.manager=org.example.LogManager"
ENV JAVA_APP_JAR="/deployments/particle-run.jar"

ENTRYPOINT [ "/opt/s2i/run-java.sh" ]
