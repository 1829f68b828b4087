; afterwatch:// links open in Afterwatch, for the user who installed it.
!macro NSIS_HOOK_POSTINSTALL
  WriteRegStr HKCU "Software\Classes\afterwatch" "" "URL:Afterwatch incident"
  WriteRegStr HKCU "Software\Classes\afterwatch" "URL Protocol" ""
  WriteRegStr HKCU "Software\Classes\afterwatch\shell\open\command" "" '"$INSTDIR\${MAINBINARYNAME}.exe" "%1"'
!macroend

!macro NSIS_HOOK_POSTUNINSTALL
  DeleteRegKey HKCU "Software\Classes\afterwatch"
!macroend
