// The alerts and the operator who receives them.
// Each query returns rows only if something is wrong. So each rule fires on more than 0 rows.
param prefix string
param location string
param workspaceId string
param email string
param collectorApp string
param syncApp string

var alerts = [
  {
    name: 'a-run-failed'
    description: join(
      [
        'A poll or a sweep failed. See its error in docs/operations.md.'
        'Nothing is lost yet: Salesforce keeps events for 72 hours.'
      ],
      ' '
    )
    severity: 1
    every: 'PT15M'
    window: 'PT30M'
    query: join(
      [
        'AppRequests'
        'where AppRoleName in~ ("${collectorApp}", "${syncApp}") and Success == false'
      ],
      ' | '
    )
  }
  {
    name: 'no-successful-poll'
    description: 'No poll has succeeded for three intervals. After 72 hours deletes are lost.'
    severity: 0
    every: 'PT30M'
    window: 'PT2H'
    query: join(
      [
        'AppRequests'
        'where AppRoleName =~ "${collectorApp}" and Name == "TimerPoller" and Success == true'
        'summarize Runs = count()'
        'where Runs < 1'
      ],
      ' | '
    )
  }
  {
    name: 'no-successful-sweep'
    description: 'No sweep has succeeded for two days. Nothing is lost: event files wait.'
    severity: 2
    every: 'PT6H'
    window: 'P2D'
    query: join(
      [
        'AppRequests'
        'where AppRoleName =~ "${syncApp}" and Name == "SnowflakePusher" and Success == true'
        'summarize Runs = count()'
        'where Runs < 1'
      ],
      ' | '
    )
  }
  {
    name: 'a-gap-was-recorded'
    description: join(
      [
        'Events of a topic can no longer be retrieved from Pub/Sub.'
        'See delete_tracker_gaps, and "GapError" in docs/operations.md.'
      ],
      ' '
    )
    severity: 1
    every: 'PT30M'
    window: 'PT1H'
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message matches regex @"\\bgaps=[1-9]"'
      ],
      ' | '
    )
  }
  {
    name: 'events-were-rejected'
    description: 'Events could not be decoded. Their bytes are in delete_tracker_rejects.'
    severity: 2
    every: 'PT30M'
    window: 'PT1H'
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message matches regex @"\\brejected=[1-9]"'
      ],
      ' | '
    )
  }
  {
    name: 'a-cursor-grows-old'
    description: 'A topic\'s cursor is older than 48 hours. At 72 hours its events are lost.'
    severity: 0
    every: 'PT30M'
    window: 'PT2H'
    query: join(
      [
        'AppTraces'
        'where AppRoleName =~ "${collectorApp}" and Message has "cursor_age="'
      ],
      ' | '
    )
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-alerts'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: take(prefix, 12)
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

// Azure does not validate the queries, because the tables exist only after the first telemetry.
resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${prefix}-${alert.name}'
    location: location
    kind: 'LogAlert'
    properties: {
      displayName: '${prefix}: ${replace(alert.name, '-', ' ')}'
      description: alert.description
      severity: alert.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      skipQueryValidation: true
      actions: { actionGroups: [people.id] }
    }
  }
]
