FROM scratch
COPY --from=BASE /bin/ /bin/
WORKDIR /
WORKDIR /a
RUN ["/bin/busybox","true"]
CMD ["x"]
