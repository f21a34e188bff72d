FROM BASE AS a
CMD ["x"]
MAINTAINER me <x&y>
LABEL multi.$PATH="a" 'b'=c
FROM a
ENTRYPOINT ["y", "\u2028<>&\t\""]
USER 7:8
VOLUME /x $NOPE/y
ENV X 1  2
ENV A="1 2" X=$X-
STOPSIGNAL 9
SHELL ["/bin/sh", "-c"]
CMD echo $X
RUN -- echo $X
