"""The environment variables of a function: those of Lambda, of the template, and of `--function-env`.

Stock: a function inherits the environment of the emulator, so it may find variables that are missing on AWS.
AWS: a function has only the documented variables and its own.
"""

import os

FROM_THE_MACHINE = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "HOME")
FROM_LAMBDA = (
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
)


def apply(options) -> None:
    from ministack.services import lambda_svc

    stock = lambda_svc._provided_worker_env

    def environment(config: dict, code_dir: str, port: int) -> dict:
        everything = stock(config, code_dir, port)
        own = (config.get("Environment") or {}).get("Variables") or {}
        kept = [name for name in (*FROM_THE_MACHINE, *FROM_LAMBDA) if name in everything]
        logging = config.get("LoggingConfig") or {}
        name = config.get("FunctionName", "unknown")
        return {
            **{name: everything[name] for name in kept},
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', 'provided.al2023')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
            "TZ": ":UTC",
            **own,
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            **options.function_env,
        }

    lambda_svc._provided_worker_env = environment
