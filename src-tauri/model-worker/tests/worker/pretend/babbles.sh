#!/bin/sh
# A program that is no worker.
read -r line
echo 'Hello! What can I do for you?'
sleep 600
