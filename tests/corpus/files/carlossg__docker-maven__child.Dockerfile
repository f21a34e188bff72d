# Shape of: github.com/carlossg/docker-maven (jdk-8/onbuild/Dockerfile)
# Its base leaves three steps to whoever builds on it
ARG TAG=3-onbuild
FROM maven:${TAG} AS application
EXPOSE 8080
CMD ["java", "-jar", "/app/target/application.jar"]

FROM application AS debug
EXPOSE 5005
ENV JAVA_TOOL_OPTIONS "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005"
