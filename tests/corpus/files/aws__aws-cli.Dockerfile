# Shape of: github.com/aws/aws-cli (docker/Dockerfile)
FROM public.ecr.example.com/amazonlinux/amazonlinux:2 as installer
ARG EXE_FILENAME=cloud-exe-linux-x86_64.zip
COPY $EXE_FILENAME .
RUN yum update -y \
  && yum install -y unzip \
  && unzip $EXE_FILENAME \
  # links to the programs go to
  # a directory where there is
  # nothing else, so that the
  # stage below can copy all
  # of it
  && ./cloud/install --bin-dir /cloud-bin/

FROM public.ecr.example.com/amazonlinux/amazonlinux:2
RUN yum update -y \
  && yum install -y less groff \
  && yum clean all
COPY --from=installer /usr/local/cloud-cli/ /usr/local/cloud-cli/
COPY --from=installer /cloud-bin/ /usr/local/bin/
WORKDIR /cloud
ENTRYPOINT ["/usr/local/bin/cloud"]
