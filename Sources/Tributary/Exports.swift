@_exported public import TributaryCore
@_exported public import TributaryDSL
@_exported public import TributaryFoundation
@_exported public import TributaryLMDB
@_exported public import TributaryLineage
@_exported public import TributaryRuntime
@_exported public import TributaryState
@_exported public import TributaryTelemetry
