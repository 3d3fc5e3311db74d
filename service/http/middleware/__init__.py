"""What every request passes through, from the outside in.

request_limits      the server's protocol: time of a request, size of its head
metrics             counters and times for Prometheus
security_headers    what browsers may do with a page
forwarded_prefix    the sub-path that a proxy publishes the service under
head_as_get         HEAD for whatever answers GET
body_limits         size of a body; decompression
fast_predict        plain JSON pixels, answered without routing
"""
