ARG A=1
ARG B=${A}2
FROM --platform=$BUILDPLATFORM BASE AS x
ARG B=${A:-unset}x
ENV A=env E=$A-$B "F"="q r"
RUN echo $A $B
ENV A=again
RUN echo "$A" '$A'
