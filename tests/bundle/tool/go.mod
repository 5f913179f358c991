module roost.internal/tool

go 1.26

tool roost.internal/tool
